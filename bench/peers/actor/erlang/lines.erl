%% lines.erl - a row: run it so often, and print the line that bench.c prints.
%%
%% Each run is a process of its own, so that it begins with a small heap. Time of processors and
%% switches between threads come from /proc: they tell whether a row spins or sleeps.
-module(lines).
-export([row/4, clocked/1, resident/0, quick/1]).

-define(RUNS, 5).

%% Runs Body(Times) so often; it says how many nanoseconds all took, or how long each took. Bytes are
%% measured once and without warming up: what was freed is not given back.
row(Metric, "bytes", Times, Body) ->
    Count = quick(Times),
    print(Metric, "bytes", values([once(Body, Count)], Count, "bytes"), []);
row(Metric, Unit, Times0, Body) ->
    Times = quick(Times0),
    once(Body, max(Times div 10, 1)),
    {Cpu, Switches} = usage(),
    Results = [once(Body, Times) || _ <- lists:seq(1, runs())],
    {CpuAfter, SwitchesAfter} = usage(),
    Extra = [
        {cpu_ms, (CpuAfter - Cpu) / runs()},
        {ctx_switches, (SwitchesAfter - Switches) / runs()}
    ],
    print(Metric, Unit, values(Results, Times, Unit), p99(Results) ++ Extra).

once(Body, Times) ->
    {_, Watch} = spawn_monitor(fun() -> exit({took, Body(Times)}) end),
    receive
        {'DOWN', Watch, process, _, {took, Result}} -> Result;
        {'DOWN', Watch, process, _, Why} -> error(Why)
    end.

values(Results, Times, Unit) ->
    [value(Result, Times, Unit) || Result <- Results].

value(Samples, _, _) when is_list(Samples) -> quantile(Samples, 0.5);
value(Ns, _, "ms") -> Ns / 1000000;
value(Sum, Times, _) -> Sum / Times.

p99([Samples | _] = Results) when is_list(Samples) ->
    [{p99, quantile(lists:append(Results), 0.99)}];
p99(_) ->
    [].

quantile(Values, Part) ->
    Sorted = lists:sort(Values),
    float(lists:nth(1 + round(Part * (length(Sorted) - 1)), Sorted)).

print(Metric, Unit, Values, Extra) ->
    Median = quantile(Values, 0.5),
    io:format(
        "{\"bench\":\"actor\",\"metric\":\"~s\",\"value\":~.3f,\"unit\":\"~s\",\"runs\":~b,"
        "\"min\":~.3f,\"median\":~.3f,\"max\":~.3f,~s\"workers\":~b,"
        "\"peer\":\"Erlang/OTP ~s\"}~n",
        [Metric, Median, Unit, length(Values), quantile(Values, 0.0), Median,
            quantile(Values, 1.0), [io_lib:format("\"~s\":~.3f,", [K, V]) || {K, V} <- Extra],
            erlang:system_info(schedulers_online), erlang:system_info(otp_release)]
    ).

clocked(Body) ->
    Since = erlang:monotonic_time(nanosecond),
    Body(),
    erlang:monotonic_time(nanosecond) - Since.

%% HYPHA_PEER_QUICK divides the work, for a look at whether all is well.
quick(Times) -> max(Times div divisor(), 1).
runs() ->
    case divisor() of
        1 -> ?RUNS;
        _ -> 1
    end.
divisor() -> list_to_integer(os:getenv("HYPHA_PEER_QUICK", "1")).

%% Resident memory with its page tables, in bytes.
resident() -> 1024 * (status("self", "VmRSS:") + status("self", "VmPTE:")).

usage() ->
    {ok, Stat} = read("/proc/self/stat"),
    Fields = string:lexemes(lists:last(string:split(Stat, ") ", trailing)), " "),
    Ticks = list_to_integer(lists:nth(12, Fields)) + list_to_integer(lists:nth(13, Fields)),
    {ok, Threads} = file:list_dir("/proc/self/task"),
    Switches = [
        status("self/task/" ++ Thread, Name)
     || Thread <- Threads, Name <- ["voluntary_ctxt_switches:", "nonvoluntary_ctxt_switches:"]
    ],
    {Ticks * 10.0, lists:sum(Switches)}.

status(Of, Name) ->
    {ok, Text} = read("/proc/" ++ Of ++ "/status"),
    [Line] = [L || L <- string:lexemes(Text, "\n"), lists:prefix(Name, L)],
    list_to_integer(hd(string:lexemes(lists:nthtail(length(Name), Line), " \t"))).

read(Path) ->
    {ok, File} = file:open(Path, [read, raw, binary]),
    {ok, Bytes} = file:read(File, 65536),
    ok = file:close(File),
    {ok, binary_to_list(Bytes)}.
