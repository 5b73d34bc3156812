# Mutations that wait are bounded; the running one does not count.
limit socket_mutations_waiting_max 2
connect
mutation 0 a:b {}
    run mutation 0 a.js:b {} as anonymous, request 0b7f6589656abd68
mutation 1 a:b {}
mutation 2 a:b {}
mutation 3 a:b {}
    close 1013 TooManyConcurrentMutations
