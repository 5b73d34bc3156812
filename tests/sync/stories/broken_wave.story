# A wave without an answer that it owes is a mistake of the house: the client reconnects and asks again.
connect
modify 0 1: +0 a:b {}, +1 a:c {}
    add 0 a.js:b {} journal None
    add 1 a.js:c {} journal None
    want wave
wave begins
    yes
wave ends at 5: 0=1.0
    close 1011 InternalServerError
