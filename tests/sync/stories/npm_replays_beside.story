# npm holds each mutation until its own timestamp is reached: its first Transition need not wait for replays.
client npm-1.48.0
connect connectionCount=1
modify 0 1:
    want wave
mutation 3 a:b {}
    run mutation 3 a.js:b {} as anonymous, request d0d462f4a0501135
wave begins
    yes
