using System.Globalization;
using System.Runtime.ExceptionServices;
using System.Threading.Channels;
using PostTrain.Numerics;
using PostTrain.Rollouts;

namespace PostTrain.Training;

/// <summary>Groups of an asynchronous run under way: asks for as many as the lag allows, and gives each step the groups that have
/// arrived.</summary>
/// <param name="options">Options of the trainer.</param>
/// <param name="feed">Draws.</param>
/// <param name="backlog">Groups that are asked for or finished.</param>
/// <param name="prompt">Prompt of a group by its number.</param>
internal sealed class RolloutsAhead(RolloutOptions options, SourceFeed feed, RolloutBacklog backlog, Func<long, TokenizedPrompt> prompt)
    : IAsyncDisposable
{
    // Seeds of groups, apart from those of steps, evaluations and PPO's orders.
    internal const ulong SeedPlane = ulong.MaxValue - 4;
    private static readonly TimeSpan EndOfRequests = TimeSpan.FromSeconds(30);

    private readonly Channel<(RolloutGroup? Group, ExceptionDispatchInfo? Error)> arrived = Channel.CreateUnbounded<(
        RolloutGroup?,
        ExceptionDispatchInfo?
    )>();
    private readonly CancellationTokenSource stop = new();
    private readonly Dictionary<long, Task> running = [];
    private readonly AsynchronousOptions asynchronous = options.Asynchronous!;
    private readonly Lock gate = new();

    /// <summary>File of what is finished; null without a directory.</summary>
    internal RolloutJournal? Journal { get; init; }

    /// <summary>Sampling of the completions.</summary>
    internal required SamplingOptions Sampling { get; init; }

    /// <summary>Steps of the run: nothing is drawn for later ones.</summary>
    internal required int Steps { get; init; }

    /// <summary>Opens the journal of a run, where the options name a directory.</summary>
    /// <param name="options">Options of the trainer.</param>
    /// <param name="prompts">Prompts of the run.</param>
    /// <param name="step">Steps done.</param>
    /// <param name="backlog">Content of the checkpoint.</param>
    internal static RolloutJournal? OpenJournal(RolloutOptions options, TokenizedPrompt[] prompts, long step, RolloutBacklog backlog)
    {
        if (options.CheckpointDirectory is not { } directory)
            return null;
        var sampling = options.Sampling;
        string run = string.Create(
            CultureInfo.InvariantCulture,
            $"{options.Seed} {options.BatchSize} {options.GroupSize} {options.Asynchronous!.MaxLag} {sampling.MaxNewTokens} "
                + $"{sampling.Temperature:R} {sampling.TopK} {sampling.TopP:R} {sampling.MinP:R}"
        );
        return RolloutJournal.Open(
            directory,
            $"{run}\n{string.Join('\n', prompts.Select(item => string.Join(' ', item.Ids)))}",
            step,
            backlog
        );
    }

    /// <summary>Gives a step its groups, <see cref="RolloutStep.Groups"/>, and returns their prompts.</summary>
    /// <param name="current">Step that takes them.</param>
    /// <param name="count">Prompts that it asks for: all of a step.</param>
    /// <param name="draw">Number of the draw: 0.</param>
    /// <param name="now">Steps done, and the number of the policy's weights.</param>
    internal async Task<IReadOnlyList<TokenizedPrompt>> TakeAsync(RolloutStep current, int count, int draw, (long Step, long Version) now)
    {
        if (count != options.BatchSize || draw != 0)
            throw new InvalidOperationException(
                $"draw {draw} of a step asks for {count} prompts, expected one draw of BatchSize, {options.BatchSize}: rollouts are drawn "
                    + "ahead"
            );
        current.Groups = await GroupsAsync(now.Step, now.Version, current.Cancellation).ConfigureAwait(false);
        return [.. current.Groups.Select(group => prompt(group.Number))];
    }

    private async Task<RolloutGroup[]> GroupsAsync(long step, long version, CancellationToken cancellation)
    {
        await feed.DeliverAsync(version, isCurrent: false, cancellation).ConfigureAwait(false);
        if (Saved() is { } saved)
            Journal?.Compact(saved);
        await AskAsync(step, version, cancellation).ConfigureAwait(false);
        var prescribed = Prescribed(step);
        long[]? taken;
        while ((taken = Chosen(prescribed, step)) is null)
        {
            if (!backlog.Awaited.Any())
                throw new InvalidOperationException(
                    $"step {step + 1} finds no {options.BatchSize} groups that Asynchronous.MaxLag, {asynchronous.MaxLag}, lets it take; "
                        + "expected the MaxLag and BatchSize with which the run began"
                );
            var (group, error) = await arrived.Reader.ReadAsync(cancellation).ConfigureAwait(false);
            error?.Throw();
            backlog.Arrive(group!);
        }
        Journal?.Add(step, taken);
        return [.. taken.Select(backlog.Group)];
    }

    /// <summary>Ends the requests; groups that have arrived stay in the backlog.</summary>
    public async ValueTask DisposeAsync()
    {
        await stop.CancelAsync().ConfigureAwait(false);
        try
        {
            await Task.WhenAll(running.Values).WaitAsync(EndOfRequests).ConfigureAwait(false);
        }
        catch (TimeoutException)
        {
            // A source that does not heed its token is left behind.
        }
        lock (gate)
        {
            arrived.Writer.TryComplete();
            while (arrived.Reader.TryRead(out var item))
                if (item.Group is { } group)
                    backlog.Arrive(group);
            Journal?.Dispose();
        }
        stop.Dispose();
        // A run that is done, and whose last checkpoint holds all of it, needs no journal.
        if (Journal is not null && backlog.IsEmpty && Saved() is { } step && step * options.BatchSize >= backlog.Arrivals.Count)
            Journal.Delete();
    }

    private long? Saved() =>
        options.CheckpointDirectory is { } directory && Checkpoint.Latest(directory) is { } latest
            ? Checkpoint.ReadState(latest).Step
            : null;

    private long[]? Chosen(IReadOnlyList<long>? prescribed, long step)
    {
        if (prescribed is null)
            return backlog.Choose(step, options.BatchSize, asynchronous.MaxLag);
        return prescribed.All(backlog.IsFinished) ? [.. prescribed] : null;
    }

    // Groups that an interrupted course of this run, or the options, have for a step.
    private IReadOnlyList<long>? Prescribed(long step)
    {
        var numbers = Journal?.Of(step);
        if (numbers is null && asynchronous.Arrivals is { } order && order.Count >= (step + 1) * options.BatchSize)
            numbers = [.. order.Skip((int)(step * options.BatchSize)).Take(options.BatchSize)];
        if (
            numbers is not null
            && (numbers.Count != options.BatchSize || numbers.FirstOrDefault(number => !backlog.IsOpen(number), -1) >= 0)
        )
            throw new InvalidOperationException(
                $"the order of arrival prescribes the groups {string.Join(", ", numbers)} for step {step + 1}, expected "
                    + $"{options.BatchSize} "
                    + $"of the groups under way, below {backlog.Next} and none trained on"
            );
        return numbers;
    }

    // The groups that the lag allows, up to the last step's, and those that an interrupted run has asked for in vain.
    private async Task AskAsync(long step, long version, CancellationToken cancellation)
    {
        long end = Math.Min(step + asynchronous.MaxLag + 1, Math.Max(Steps, step + 1)) * options.BatchSize;
        var awaited = backlog.Awaited.Select(item => item.Key).Where(number => !running.ContainsKey(number)).ToHashSet();
        for (long number = backlog.Next; number < end; number++)
            awaited.Add(number);
        if (awaited.Count == 0)
            return;
        var kept = Journal?.Groups.Where(group => awaited.Contains(group.Number)).ToArray() ?? [];
        long[] asked = [.. awaited.Except(kept.Select(group => group.Number)).Order()];
        foreach (long number in asked)
            backlog.Ask(number, step);
        foreach (var group in kept)
        {
            backlog.Ask(group.Number, group.Step);
            backlog.Arrive(group);
        }
        if (asked.Length == 0)
            return;
        if (feed.IsShared)
        {
            // The policy's own memory: it draws now, before it changes.
            foreach (var group in await DrawAsync(asked, step, version, cancellation).ConfigureAwait(false))
            {
                Journal?.Add(group);
                backlog.Arrive(group);
            }
            return;
        }
        foreach (long number in asked)
            running[number] = RunAsync(number, step, version);
    }

    private async Task RunAsync(long number, long step, long version)
    {
        try
        {
            var drawn = await DrawAsync([number], step, version, stop.Token).ConfigureAwait(false);
            // The order of the journal is the order of arrival.
            lock (gate)
            {
                if (arrived.Writer.TryWrite((drawn[0], null)))
                    Journal?.Add(drawn[0]);
            }
        }
        catch (OperationCanceledException) when (stop.IsCancellationRequested)
        {
            // The run has ended; the group stays asked for.
        }
        catch (Exception error)
        {
            arrived.Writer.TryWrite((null, ExceptionDispatchInfo.Capture(error)));
        }
    }

    private async Task<RolloutGroup[]> DrawAsync(long[] numbers, long step, long version, CancellationToken cancellation)
    {
        int size = options.GroupSize;
        var rows = numbers.SelectMany(number => Enumerable.Repeat(prompt(number), size)).ToArray();
        // A completion is a function of its group's number, its place in it and the weights, whatever is drawn beside it. Groups of one
        // request have numbers for that; a group of its own has a seed, so that a server may draw its completions together.
        ulong[] seeds = [.. numbers.SelectMany(number => Enumerable.Range(0, size).Select(i => (ulong)number * (ulong)size + (ulong)i))];
        var samples = await feed.CollectAsync(
                rows,
                feed.IsShared ? Sampling with { RowSeeds = seeds } : Sampling,
                feed.IsShared
                    ? CounterRandom.Bits(options.Seed, SeedPlane)
                    : CounterRandom.Bits(options.Seed, SeedPlane, (ulong)numbers[0]),
                version,
                cancellation
            )
            .ConfigureAwait(false);
        return
        [
            .. numbers.Select(
                (number, i) =>
                    new RolloutGroup(
                        number,
                        step,
                        [.. samples.Skip(i * size).Take(size).Select((sample, row) => sample with { Row = row })]
                    )
            ),
        ];
    }
}
