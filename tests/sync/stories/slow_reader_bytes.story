# A reader too far behind is dropped. The newest message does not count: a large one may always be begun.
limit socket_backlog_bytes_max 200
connect
wave begins
    yes
wave ends at 5
    -> Transition 0/0/0 to 0/0/5: nothing
unsent 230
wave begins 230 unsent
    yes
wave ends at 6
    -> Transition 0/0/5 to 0/0/6: nothing
unsent 450
    drop: SlowReaderBytes
wave begins
    no
