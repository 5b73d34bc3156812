# A client that saw the latest commit is welcome.
connect maxObservedTimestamp=100
mutation 0 a:b {}
    run mutation 0 a.js:b {} as anonymous, request 0b7f6589656abd68
