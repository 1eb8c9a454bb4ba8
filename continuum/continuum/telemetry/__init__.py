"""What a node tells the tools around it: the closed list of metrics, their counters, log records. No I/O."""
