# A wave covers what was received when it began. Later changes belong to the next.
connect
modify 0 1: +0 a:b {}, +1 a:c {}
    add 0 a.js:b {} journal None
    add 1 a.js:c {} journal None
    want wave
wave begins
    yes
modify 1 2: +2 a:d {}, -1
    add 2 a.js:d {} journal None
    remove 1
    want wave
wave begins
    no
# The hub may drop query 1, taken out meanwhile, or answer it: both are fine.
wave ends at 5: 0=1.0
    -> Transition 0/0/0 to 1/0/5: 0=1.0
    want wave
unsent 0
wave begins
    yes
wave ends at 6: 2=2.0
    -> Transition 1/0/5 to 2/0/6: 1 removed 2=2.0
modify 2 3: +3 a:e {}
    add 3 a.js:e {} journal None
    want wave
wave begins
    yes
modify 3 4: -3
    remove 3
    want wave
wave ends at 7: 3=3.0
    -> Transition 2/0/6 to 3/0/7: 3=3.0
wave begins
    yes
wave ends at 7
    -> Transition 3/0/7 to 4/0/7: 3 removed
