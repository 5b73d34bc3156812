# An id lives until its removal is confirmed.
connect
modify 0 1: +0 a:b {}
    add 0 a.js:b {} journal None
    want wave
wave begins
    yes
wave ends at 5: 0=1.0
    -> Transition 0/0/0 to 1/0/5: 0=1.0
modify 1 2: -0
    remove 0
    want wave
modify 2 3: +0 a:b {}
    close 1011 InternalServerError
