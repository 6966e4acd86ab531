package platform

func fromSysctl(s Sysctl) Facts { return FromFreeBSD(s) }
