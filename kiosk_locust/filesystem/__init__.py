"""Files on local disks: text files, free space, symbolic links."""
