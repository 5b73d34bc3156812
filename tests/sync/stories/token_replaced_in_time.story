# A token that ends while its successor is being checked ends nothing: waves wait for the verdict.
connect
authenticate 0 User old
    check User old
identity ada for 20 s
    become ada
    want wave
wave begins
    yes
wave ends at 5
    -> Transition 0/0/0 to 0/1/5: nothing
pass 19
    ping frame
    -> Ping
authenticate 1 User new
    check User new
mutation 0 a:b {}
pass 2
wave begins
    no
identity ada for 20 s
    become ada
    want wave
    run mutation 0 a.js:b {} as ada, request 0b7f6589656abd68
wave begins
    yes
wave ends at 6
    -> Transition 0/1/5 to 0/2/6: nothing
