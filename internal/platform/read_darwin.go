package platform

func fromSysctl(s Sysctl) Facts { return FromDarwin(s) }
