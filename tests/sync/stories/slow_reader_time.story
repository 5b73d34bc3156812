# A reader that takes nothing for 30 seconds is dropped; one that takes little by little is not.
connect
wave begins
    yes
wave ends at 5
    -> Transition 0/0/0 to 0/0/5: nothing
unsent 200
pass 29 150 unsent
    ping frame
    -> Ping
frame
pass 29 100 unsent
    ping frame
    -> Ping
frame
pass 29 130 unsent
    ping frame
    -> Ping
pass 2 150 unsent
    drop: SlowReaderTime
