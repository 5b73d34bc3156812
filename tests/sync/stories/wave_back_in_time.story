# Never lead a client back in time.
connect
wave begins
    yes
wave ends at 5
    -> Transition 0/0/0 to 0/0/5: nothing
wave begins
    yes
wave ends at 4
    close 1011 InternalServerError
