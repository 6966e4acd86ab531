package platform

func fromSysctl(s Sysctl) Facts { return FromOpenBSD(s) }
