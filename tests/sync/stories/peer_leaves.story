# After the client left nothing is said; a started mutation goes on, those that wait are forgotten.
connect
mutation 0 a:b {}
    run mutation 0 a.js:b {} as anonymous, request 0b7f6589656abd68
mutation 1 a:b {}
action 2 a:b {}
    run action 2 a.js:b {} as anonymous
authenticate 0 None
    check None None
wave begins
    yes
peer leaves
mutation done at 5: null
action 2 done: null
identity anonymous
identity refused: Unauthenticated
wave ends at 5
wave begins
    no
unsent 5
