# Every Add folded into a wave is answered in its Transition, and Transitions join end to start.
connect clientTs=1700000000500
modify 0 1: +0 messages:list {"limit":10} journal j0, +1 users:me {}
    add 0 messages.js:list {"limit": 10} journal j0
    add 1 users.js:me {} journal None
    want wave
modify 1 3: +2 count {}
    add 2 count.js:default {} journal None
    want wave
wave begins
    yes
wave ends at 5: 0=[1.0] journal j1, 1!Uncaught ValueError: no, 2=null
    -> Transition 0/0/0 to 3/0/5: 0=[1.0] journal j1 1!'[Request ID: random] Server Error\nUncaught ValueError: no\n' 2=null skew 500
wave begins
    yes
wave ends at 9: 0=[1.0,2.0]
    -> Transition 3/0/5 to 3/0/9: 0=[1.0, 2.0] skew 500
