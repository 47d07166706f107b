package disk

// Sync does nothing: Windows opens no directory to be synced, and NTFS keeps its entries in a log.
func Sync(dir string) error { return nil }
