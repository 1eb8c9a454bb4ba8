"""What a node measures about itself: the closed list of metrics, their counters and histograms. No I/O."""
