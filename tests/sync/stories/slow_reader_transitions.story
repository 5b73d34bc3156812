# No third Transition is computed while two wait for the reader; when there is room, one is.
connect
wave begins
    yes
wave ends at 5
    -> Transition 0/0/0 to 0/0/5: nothing
wave begins 100 unsent
    yes
wave ends at 6
    -> Transition 0/0/5 to 0/0/6: nothing
wave begins 300 unsent
    no
unsent 300
unsent 150
    want wave
wave begins 150 unsent
    yes
wave ends at 7
    -> Transition 0/0/6 to 0/0/7: nothing
wave begins 300 unsent
    no
unsent 0
    want wave
