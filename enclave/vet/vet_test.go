package vet_test

import (
	"slices"
	"testing"

	"golang.org/x/tools/go/analysis"
	"golang.org/x/tools/go/analysis/analysistest"

	"github.com/memkeep/memkeep/enclave/vet"
)

func run(t *testing.T, analyzer *analysis.Analyzer, packages ...string) {
	t.Helper()
	t.Parallel()
	analysistest.Run(t, analysistest.TestData(), analyzer, packages...)
}

func TestTheCommandRunsAllAnalyzers(t *testing.T) {
	t.Parallel()
	if err := analysis.Validate(vet.Analyzers); err != nil {
		t.Error(err)
	}
	for _, a := range []*analysis.Analyzer{vet.Escape, vet.Destroy, vet.Unchecked, vet.Copied, vet.Allow} {
		if !slices.Contains(vet.Analyzers, a) {
			t.Errorf("%s does not run", a.Name)
		}
	}
}

func TestSecretsThatOutliveTheirLockAreReported(t *testing.T) { run(t, vet.Escape, "escape") }

func TestCopiesAndOutputOfSecretsAreReported(t *testing.T) { run(t, vet.Escape, "copies") }

func TestLibrariesThatCopyKeysAreReportedWithWhatToUseInstead(t *testing.T) {
	run(t, vet.Escape, "libraries")
}

func TestEverythingThatHandsOutASecretIsKnown(t *testing.T) { run(t, vet.Escape, "api") }

func TestCopiedEnclavesAreReported(t *testing.T) { run(t, vet.Copied, "copied") }

func TestBuffersThatAPathDoesNotDestroyAreReported(t *testing.T) { run(t, vet.Destroy, "destroy") }

func TestDiscardedErrorsAreReported(t *testing.T) { run(t, vet.Unchecked, "unchecked") }

func TestBuffersOfTheDropInThatAPathDoesNotDestroyAreReported(t *testing.T) {
	run(t, vet.Destroy, "dropin")
}

func TestSecretsOfTheDropInAreReported(t *testing.T) { run(t, vet.Escape, "dropinuse") }

func TestACommentWithAReasonSilencesItsLine(t *testing.T) { run(t, vet.Unchecked, "allow") }

func TestACommentWithoutAReasonIsReported(t *testing.T) { run(t, vet.Allow, "reason") }
