# Data of an application error is there only where there is some; null is data.
connect
modify 0 1: +0 a:b {}, +1 a:c {}
    add 0 a.js:b {} journal None
    add 1 a.js:c {} journal None
    want wave
wave begins
    yes
wave ends at 5: 0!Uncaught Full: data {"code":"full"}, 1!none data null
    -> Transition 0/0/0 to 1/0/5: 0!'[Request ID: random] Server Error\nUncaught Full:\n' data {"code": "full"} 1!'[Request ID: random] Server Error\nnone\n' data null
