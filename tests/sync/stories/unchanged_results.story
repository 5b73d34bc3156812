# A result that the client has already is not sent again; a changed journal alone is no change.
connect
modify 0 1: +0 a:b {}
    add 0 a.js:b {} journal None
    want wave
wave begins
    yes
wave ends at 5: 0=1.0
    -> Transition 0/0/0 to 1/0/5: 0=1.0
wave begins
    yes
wave ends at 6: 0=1.0 journal new
    -> Transition 1/0/5 to 1/0/6: nothing
wave begins
    yes
wave ends at 7: 0=2.0
    -> Transition 1/0/6 to 1/0/7: 0=2.0
wave begins
    yes
wave ends at 8: 0=1.0
    -> Transition 1/0/7 to 1/0/8: 0=1.0
# The same error with another request id is the same error.
wave begins
    yes
wave ends at 9: 0!no
    -> Transition 1/0/8 to 1/0/9: 0!'[Request ID: random] Server Error\nno\n'
wave begins
    yes
wave ends at 10: 0!no
    -> Transition 1/0/9 to 1/0/10: nothing
