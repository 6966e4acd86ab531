package reason

func allow() {
	_ = 1 //memkeep:allow // want `silences nothing without a reason`
	_ = 2 //memkeep:allow because two is even
}
