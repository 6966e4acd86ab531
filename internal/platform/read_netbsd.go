package platform

func fromSysctl(s Sysctl) Facts { return FromNetBSD(s) }
