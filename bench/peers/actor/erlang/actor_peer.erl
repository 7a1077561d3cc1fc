%% actor_peer.erl - the rows of actor_bench as Erlang programs: processes, gen_server, supervisor.
%%
%% Which work a name stands for is in the table of bench/README.md. Processes are plain ones where
%% a message is all that counts; `ask` is gen_server:call with its monitor and its timeout,
%% `restart` and `supervised_bytes` have OTP's supervisor. A restarted process loses its mailbox,
%% so the new one tells its client that it is there; ours keeps the mailbox and saves that step.
-module(actor_peer).
-behaviour(gen_server).
-export([main/1, start_child/2, init/1, handle_call/3, handle_cast/2]).

-import(lines, [clocked/1, quick/1]).

main(Wanted) ->
    ok = logger:set_primary_config(level, none), % restarts are not to be reported
    Names = [atom_to_list(Name) || Name <- Wanted],
    lists:foreach(
        fun({Name, Unit, Times, Body}) ->
            case lists:member(Name, Names) orelse (Names == [] andalso Unit =/= "bytes") of
                true -> lines:row(Name, Unit, Times, Body);
                false -> ok
            end
        end,
        rows()
    ),
    halt().

rows() ->
    [
        {"idle_bytes", "bytes", 1000000, fun idle_bytes/1},
        {"supervised_bytes", "bytes", 100000, fun supervised_bytes/1},
        {"pingpong", "ns", 300000, fun pingpong/1},
        {"spawn", "ns", 200000, fun spawn_each/1},
        {"spawn_1m", "ns", 1000000, fun spawn_many/1},
        {"enqueue", "ns", 200000, fun enqueue/1},
        {"stream", "ns", 1000000, fun(Times) -> flood(1, Times) end},
        {"n_to_1_1", "ns", 400000, fun(Times) -> flood(1, Times) end},
        {"n_to_1_2", "ns", 400000, fun(Times) -> flood(2, Times) end},
        {"n_to_1_4", "ns", 400000, fun(Times) -> flood(4, Times) end},
        {"n_to_1_8", "ns", 400000, fun(Times) -> flood(8, Times) end},
        {"ask", "ns", 200000, fun ask/1},
        {"broadcast_1", "ns", 200000, fun(Times) -> broadcast(1, Times) end},
        {"broadcast_10", "ns", 200000, fun(Times) -> broadcast(10, Times) end},
        {"broadcast_100", "ns", 500000, fun(Times) -> broadcast(100, Times) end},
        {"broadcast_1000", "ns", 500000, fun(Times) -> broadcast(1000, Times) end},
        {"restart", "ns", 300, fun restart/1},
        {"threadring", "ns", 100000, fun threadring/1},
        {"count", "ns", 1000000, fun count/1},
        {"forkjoin_create", "ns", 40000, fun forkjoin_create/1},
        {"forkjoin_throughput", "ns", 600000, fun forkjoin_throughput/1},
        {"fib", "ms", 25, fun fib/1},
        {"bounded_buffer", "ns", 40000, fun bounded_buffer/1},
        {"philosophers", "ns", 200000, fun philosophers/1},
        {"skynet_1m", "ms", 1000000, fun skynet/1},
        {"timer_churn", "ns", 200000, fun timer_churn/1}
    ].

%% ---- memory, and starting -----------------------------------------------------------------------

idle_bytes(Times) ->
    Before = lines:resident(),
    started(Times, fun(Body) -> spawn(Body) end),
    lines:resident() - Before.

spawn_many(Times) ->
    Self = self(),
    {Pids, Ns} = started(Times, fun(Body) -> spawn(Body) end),
    lists:foreach(fun(Pid) -> Pid ! {stop, Self} end, Pids),
    lists:foreach(fun(_) -> receive stopped -> ok end end, Pids),
    Ns.

%% Starts so many, and waits until the first thing each of them does is done.
started(Times, Start) ->
    Self = self(),
    Up = atomics:new(1, []),
    Body = fun() ->
        counted(Up, Times, Self),
        receive {stop, From} -> From ! stopped end
    end,
    Since = erlang:monotonic_time(nanosecond),
    Pids = [Start(Body) || _ <- lists:seq(1, Times)],
    receive all -> ok end,
    {Pids, erlang:monotonic_time(nanosecond) - Since}.

%% Counts one; whoever is the last says so.
counted(Counter, Last, Whom) ->
    case atomics:add_get(Counter, 1, 1) of
        Last -> Whom ! all;
        _ -> ok
    end.

supervised_bytes(Times) ->
    {ok, Supervisor} = supervisor:start_link(?MODULE, {simple, temporary}),
    Before = lines:resident(),
    started(Times, fun(Body) -> {ok, Pid} = supervisor:start_child(Supervisor, [Body]), Pid end),
    Bytes = lines:resident() - Before,
    unlink(Supervisor),
    exit(Supervisor, kill),
    Bytes.

start_child(_, Body) -> {ok, spawn_link(Body)}.

spawn_each(Times) ->
    Self = self(),
    clocked(fun() -> spawn_each(Times, fun() -> Self ! up end) end).

spawn_each(0, _) -> ok;
spawn_each(Times, Body) ->
    spawn(Body),
    receive up -> spawn_each(Times - 1, Body) end.

%% ---- messages -----------------------------------------------------------------------------------

pingpong(Times) ->
    Pong = spawn_link(fun pong/0),
    Ns = clocked(fun() -> ping(Pong, Times) end),
    unlink(Pong),
    exit(Pong, kill),
    Ns.

pong() ->
    receive {ping, From} -> From ! pong end,
    pong().

ping(_, 0) -> ok;
ping(Pong, Times) ->
    Pong ! {ping, self()},
    receive pong -> ping(Pong, Times - 1) end.

%% Takes so many messages, and says when it has them.
taker(0, Whom) -> Whom ! all;
taker(Times, Whom) -> receive {item, _} -> taker(Times - 1, Whom) end.

sends(0, _) -> ok;
sends(Times, To) ->
    To ! {item, Times},
    sends(Times - 1, To).

enqueue(Times) ->
    Self = self(),
    Taker = spawn_link(fun() -> taker(Times, Self) end),
    true = erlang:suspend_process(Taker),
    Ns = clocked(fun() -> sends(Times, Taker) end),
    true = erlang:resume_process(Taker),
    receive all -> Ns end.

flood(Senders, Times) ->
    Self = self(),
    Each = max(Times div Senders, 1),
    clocked(fun() ->
        Taker = spawn_link(fun() -> taker(Each * Senders, Self) end),
        [spawn_link(fun() -> sends(Each, Taker) end) || _ <- lists:seq(1, Senders)],
        receive all -> ok end
    end).

ask(Times) ->
    {ok, Server} = gen_server:start_link(?MODULE, server, []),
    Ns = clocked(fun() -> asks(Times, Server) end),
    gen_server:stop(Server),
    Ns.

asks(0, _) -> ok;
asks(Times, Server) ->
    Times = gen_server:call(Server, Times, 5000),
    asks(Times - 1, Server).

handle_call(Request, _, State) -> {reply, Request, State}.
handle_cast(_, State) -> {noreply, State}.

%% A round is a message to each; 64 rounds, and then all must have handled them.
broadcast(Count, Times) ->
    Self = self(),
    Handled = atomics:new(1, []),
    Windows = max(Times div (64 * Count), 1),
    Subscribers = [
        spawn_link(fun() -> subscriber(Handled, 64 * Count, Self) end)
     || _ <- lists:seq(1, Count)
    ],
    Ns = clocked(fun() -> windows(Windows, Subscribers, Handled) end),
    [begin unlink(S), exit(S, kill) end || S <- Subscribers],
    Ns * Times / (Windows * 64 * Count).

subscriber(Handled, Last, Whom) ->
    receive {news, _} -> counted(Handled, Last, Whom) end,
    subscriber(Handled, Last, Whom).

windows(0, _, _) -> ok;
windows(Windows, Subscribers, Handled) ->
    atomics:put(Handled, 1, 0),
    rounds(64, Subscribers),
    receive all -> windows(Windows - 1, Subscribers, Handled) end.

rounds(0, _) -> ok;
rounds(Rounds, Subscribers) ->
    lists:foreach(fun(Subscriber) -> Subscriber ! {news, Rounds} end, Subscribers),
    rounds(Rounds - 1, Subscribers).

%% ---- failing ------------------------------------------------------------------------------------

init(server) -> {ok, none};
init({simple, Restart}) ->
    Child = #{id => child, start => {?MODULE, start_child, [none]}, restart => Restart},
    {ok, {#{strategy => simple_one_for_one, intensity => 1000000, period => 1}, [Child]}}.

restart(Times) ->
    Self = self(),
    {ok, Supervisor} = supervisor:start_link(?MODULE, {simple, permanent}),
    {ok, Pid} = supervisor:start_child(Supervisor, [fun() -> Self ! {up, self()}, fails() end]),
    receive {up, Pid} -> ok end,
    Samples = restarts(Times, Pid, []),
    unlink(Supervisor),
    exit(Supervisor, shutdown),
    Samples.

fails() ->
    receive
        fail -> exit(failed);
        {hello, From} -> From ! hello, fails()
    end.

restarts(0, _, Samples) -> Samples;
restarts(Times, Pid, Samples) ->
    Since = erlang:monotonic_time(nanosecond),
    Pid ! fail,
    receive {up, New} -> New ! {hello, self()} end,
    receive hello -> ok end,
    restarts(Times - 1, New, [erlang:monotonic_time(nanosecond) - Since | Samples]).

%% ---- after Savina -------------------------------------------------------------------------------

threadring(Hops) ->
    Self = self(),
    Last = spawn_link(fun() -> receive {next, Pid} -> ring(Pid, Self) end end),
    First = lists:foldl(
        fun(_, Next) -> spawn_link(fun() -> ring(Next, Self) end) end, Last, lists:seq(2, 100)
    ),
    Last ! {next, First},
    clocked(fun() ->
        First ! {token, Hops},
        receive all -> ok end
    end).

ring(Next, Whom) ->
    receive
        {token, 0} -> Whom ! all;
        {token, Left} -> Next ! {token, Left - 1}
    end,
    ring(Next, Whom).

count(Times) ->
    Counter = spawn_link(fun() -> counter(0) end),
    clocked(fun() ->
        increments(Times, Counter),
        Counter ! {get, self()},
        receive {sum, Times} -> ok end
    end).

counter(Sum) ->
    receive
        increment -> counter(Sum + 1);
        {get, From} -> From ! {sum, Sum}
    end.

increments(0, _) -> ok;
increments(Times, Counter) ->
    Counter ! increment,
    increments(Times - 1, Counter).

forkjoin_create(Times) ->
    Self = self(),
    Done = atomics:new(1, []),
    clocked(fun() ->
        [
            spawn(fun() -> receive go -> counted(Done, Times, Self) end end) ! go
         || _ <- lists:seq(1, Times)
        ],
        receive all -> ok end
    end).

forkjoin_throughput(Times) ->
    Self = self(),
    Each = max(Times div 60, 1),
    Done = atomics:new(1, []),
    Body = fun() -> takes(Each), counted(Done, 60, Self) end,
    Workers = [spawn_link(Body) || _ <- lists:seq(1, 60)],
    clocked(fun() ->
        rounds_of_items(Each, Workers),
        receive all -> ok end
    end).

takes(0) -> ok;
takes(Times) -> receive {item, _} -> takes(Times - 1) end.

rounds_of_items(0, _) -> ok;
rounds_of_items(Rounds, Workers) ->
    lists:foreach(fun(Worker) -> Worker ! {item, Rounds} end, Workers),
    rounds_of_items(Rounds - 1, Workers).

fib(Small) when Small < 25 -> clocked(fun() -> fib_of(10) end);
fib(25) -> clocked(fun() -> 75025 = fib_of(25) end).

fib_of(N) ->
    Self = self(),
    spawn_link(fun() -> fib_actor(N, Self) end),
    receive {fib, Value} -> Value end.

fib_actor(N, Parent) when N =< 2 -> Parent ! {fib, 1};
fib_actor(N, Parent) ->
    Self = self(),
    spawn(fun() -> fib_actor(N - 1, Self) end),
    spawn(fun() -> fib_actor(N - 2, Self) end),
    receive {fib, A} -> receive {fib, B} -> Parent ! {fib, A + B} end end.

%% 40 producers, 40 consumers, and a manager with room for 50, of which 40 are kept for what
%% producers have in hand.
bounded_buffer(Times) ->
    Self = self(),
    Each = max(Times div 40, 1),
    clocked(fun() ->
        Manager = spawn_link(fun() -> buffer_start(Each, Self) end),
        receive {all, Manager} -> ok end
    end).

buffer_start(Each, Whom) ->
    Self = self(),
    Producers = [spawn_link(fun() -> producer(Self, Each) end) || _ <- lists:seq(1, 40)],
    Consumers = [spawn_link(fun() -> consumer(Self) end) || _ <- lists:seq(1, 40)],
    [P ! produce || P <- Producers],
    buffer(queue:new(), Consumers, [], 40 * Each),
    [C ! stop || C <- Consumers],
    Whom ! {all, self()}.

buffer(_, _, _, 0) -> ok;
buffer(Items, Consumers, Waiting, Left) ->
    receive
        {item, Producer, Item} ->
            {Items1, Consumers1} = buffer_put(Items, Consumers, Item),
            case queue:len(Items1) >= 10 of
                true -> buffer(Items1, Consumers1, [Producer | Waiting], Left);
                false -> Producer ! produce, buffer(Items1, Consumers1, Waiting, Left)
            end;
        {ready, Consumer} ->
            case queue:out(Items) of
                {empty, _} -> buffer(Items, [Consumer | Consumers], Waiting, Left - 1);
                {{value, Item}, Items1} ->
                    Consumer ! {consume, Item},
                    buffer(Items1, Consumers, buffer_wake(Waiting), Left - 1)
            end
    end.

buffer_put(Items, [], Item) -> {queue:in(Item, Items), []};
buffer_put(Items, [Consumer | Consumers], Item) ->
    Consumer ! {consume, Item},
    {Items, Consumers}.

buffer_wake([]) -> [];
buffer_wake([Producer | Waiting]) -> Producer ! produce, Waiting.

producer(_, 0) -> ok;
producer(Manager, Left) ->
    receive produce -> Manager ! {item, self(), Left} end,
    producer(Manager, Left - 1).

consumer(Manager) ->
    receive
        {consume, _} -> Manager ! {ready, self()}, consumer(Manager);
        stop -> ok
    end.

%% 20 philosophers and one who has the forks. Who is refused asks again at once.
philosophers(Times) ->
    Self = self(),
    Meals = max(Times div 20, 1),
    clocked(fun() ->
        Table = spawn_link(fun() -> table(erlang:make_tuple(20, free), 20, Self) end),
        [spawn_link(fun() -> philosopher(Table, Seat, Meals) end) || Seat <- lists:seq(1, 20)],
        receive all -> ok end
    end).

philosopher(Table, _, 0) -> Table ! full;
philosopher(Table, Seat, Meals) ->
    Table ! {hungry, Seat, self()},
    receive
        eat -> Table ! {done, Seat}, philosopher(Table, Seat, Meals - 1);
        denied -> philosopher(Table, Seat, Meals)
    end.

table(_, 0, Whom) -> Whom ! all;
table(Forks, Left, Whom) ->
    receive
        {hungry, Seat, From} ->
            Other = Seat rem 20 + 1,
            case element(Seat, Forks) == free andalso element(Other, Forks) == free of
                true ->
                    From ! eat,
                    table(setelement(Other, setelement(Seat, Forks, taken), taken), Left, Whom);
                false ->
                    From ! denied,
                    table(Forks, Left, Whom)
            end;
        {done, Seat} ->
            Other = Seat rem 20 + 1,
            table(setelement(Other, setelement(Seat, Forks, free), free), Left, Whom);
        full ->
            table(Forks, Left - 1, Whom)
    end.

%% ---- the rest -----------------------------------------------------------------------------------

skynet(Leaves) ->
    Self = self(),
    Size = power(Leaves),
    Sum = Size * (Size - 1) div 2,
    clocked(fun() ->
        spawn_link(fun() -> skynet(0, Size, Self) end),
        receive {sum, Sum} -> ok end
    end).

power(Leaves) when Leaves < 10 -> 1;
power(Leaves) -> 10 * power(Leaves div 10).

skynet(Number, 1, Parent) -> Parent ! {sum, Number};
skynet(Number, Size, Parent) ->
    Self = self(),
    Part = Size div 10,
    [spawn(fun() -> skynet(Number + I * Part, Part, Self) end) || I <- lists:seq(0, 9)],
    Parent ! {sum, sum(10, 0)}.

sum(0, Sum) -> Sum;
sum(Left, Sum) -> receive {sum, Value} -> sum(Left - 1, Sum + Value) end.

timer_churn(Times) -> clocked(fun() -> timers(Times) end).

timers(0) -> ok;
timers(Times) ->
    Timer = erlang:send_after(3600000, self(), late),
    _ = erlang:cancel_timer(Timer),
    timers(Times - 1).
