module stoker.dev/test-bed/pause

go 1.25.0
