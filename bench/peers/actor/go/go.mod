module hypha/bench/peers/actor

go 1.26.0
