# Every Remove is confirmed, also of a query that was added in the same batch and never answered.
connect
modify 0 1: +0 a:b {}
    add 0 a.js:b {} journal None
    want wave
wave begins
    yes
wave ends at 5: 0=1.0
    -> Transition 0/0/0 to 1/0/5: 0=1.0
modify 1 2: -0, +1 a:c {}, -1
    remove 0
    add 1 a.js:c {} journal None
    remove 1
    want wave
wave begins
    yes
wave ends at 5
    -> Transition 1/0/5 to 2/0/5: 0 removed 1 removed
modify 2 3: +2 a:d {}
    add 2 a.js:d {} journal None
    want wave
modify 3 4: -2
    remove 2
    want wave
wave begins
    yes
wave ends at 6
    -> Transition 2/0/5 to 4/0/6: 2 removed
