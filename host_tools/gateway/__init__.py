"""The MSGin5G Gateway UE as a process."""
