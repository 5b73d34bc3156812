# npm sends 0 to 1 on every open, even with nothing in it: it gets its Transition all the same.
connect
modify 0 1:
    want wave
wave begins
    yes
wave ends at 5
    -> Transition 0/0/0 to 1/0/5: nothing
