using System.Runtime.CompilerServices;
using PostTrain.Data;
using PostTrain.Models;
using PostTrain.Numerics;
using PostTrain.Text;

namespace PostTrain.Rollouts.Environments;

/// <summary>Draws turns by another source, and asks an environment between them.</summary>
internal sealed class EnvironmentSource(IRolloutSource source, EnvironmentOptions options, ITokenizer tokenizer) : IRolloutSource
{
    // Seeds of episodes, apart from those of turns.
    private const ulong EpisodePlane = ulong.MaxValue - 3;

    public string Name => $"{source.Name} in {options.Environment.Name}";

    public Task UpdateAsync(CausalLm policy, long version, CancellationToken cancellation = default) =>
        source.UpdateAsync(policy, version, cancellation);

    public async IAsyncEnumerable<RolloutSample> GenerateAsync(
        RolloutRequest request,
        [EnumeratorCancellation] CancellationToken cancellation = default
    )
    {
        ArgumentNullException.ThrowIfNull(request);
        request.Validate();
        var rows = new List<EpisodeRow>();
        Exception? failure = null;
        try
        {
            for (int row = 0; row < request.Prompts.Count; row++)
                rows.Add(Begin(request, row));
            var active = rows.ToArray();
            for (int turn = 1; active.Length > 0; turn++)
            {
                await TakeTurnAsync(request, active, turn, cancellation).ConfigureAwait(false);
                foreach (var row in active.Where(row => row.Finish is not null))
                    yield return row.Sample();
                active = [.. active.Where(row => row.Finish is null)];
            }
        }
        finally
        {
            foreach (var row in rows)
                failure = await EndAsync(row).ConfigureAwait(false) ?? failure;
        }
        // Where a turn failed, its error says more and is on its way.
        if (failure is not null)
            throw failure;
    }

    private EpisodeRow Begin(RolloutRequest request, int row)
    {
        var prompt = request.Prompts[row];
        var start = new EpisodeStart(
            row,
            tokenizer.Decode(prompt, skipSpecialTokens: false),
            CounterRandom.Bits(request.Seed, EpisodePlane, NumberOf(request.Sampling, row))
        )
        {
            Problem = request.Problems?[row],
        };
        IEpisode? episode;
        try
        {
            episode = options.Environment.Begin(start);
        }
        catch (Exception error)
        {
            throw new InvalidOperationException($"{options.Environment.Name} failed at the beginning of row {row}: {error.Message}", error);
        }
        return new EpisodeRow(
            row,
            prompt,
            request.LimitOf(row),
            episode ?? throw new InvalidOperationException($"{options.Environment.Name} began row {row} with null, expected an episode")
        );
    }

    private async Task TakeTurnAsync(RolloutRequest request, EpisodeRow[] active, int turn, CancellationToken cancellation)
    {
        int Allowance(EpisodeRow row) => Math.Min(row.Left, options.MaxTurnTokens ?? row.Left);
        var asked = request with
        {
            Prompts = [.. active.Select(row => row.Context)],
            Problems = null,
            Seed = turn == 1 ? request.Seed : CounterRandom.Bits(request.Seed, (ulong)turn),
            Sampling = request.Sampling with
            {
                MaxNewTokens = active.Max(Allowance),
                // A row keeps its number when others have ended.
                RowSeeds = turn == 1 ? request.Sampling.RowSeeds : [.. active.Select(row => NumberOf(request.Sampling, row.Row))],
            },
        };
        var samples = await source.CollectAsync(asked, cancellation).ConfigureAwait(false);
        using var gate = new SemaphoreSlim(options.MaxConcurrentCalls);
        var answers = active.Select(
            async (row, i) =>
            {
                var (tokens, finish) = row.Append(samples[i], Allowance(row));
                if (finish == RolloutFinish.Length && row.Left == 0)
                {
                    row.Finish = RolloutFinish.Length;
                    return;
                }
                var said = new PolicyTurn(
                    turn,
                    tokenizer.Decode(tokens),
                    tokenizer.Decode(tokens, skipSpecialTokens: false),
                    tokens,
                    finish
                );
                await gate.WaitAsync(cancellation).ConfigureAwait(false);
                try
                {
                    await AnswerAsync(row, said, cancellation).ConfigureAwait(false);
                }
                finally
                {
                    gate.Release();
                }
            }
        );
        await Task.WhenAll(answers).ConfigureAwait(false);
    }

    private async Task AnswerAsync(EpisodeRow row, PolicyTurn said, CancellationToken cancellation)
    {
        string? observation;
        try
        {
            observation = await WithinAsync(token => row.Episode.ObserveAsync(said, token), cancellation).ConfigureAwait(false);
        }
        catch (TimeoutException)
        {
            row.Finish = RolloutFinish.Timeout;
            return;
        }
        catch (Exception error) when (!cancellation.IsCancellationRequested)
        {
            throw new InvalidOperationException(
                $"{options.Environment.Name} failed at turn {said.Number} of row {row.Row}: {error.Message}",
                error
            );
        }
        if (observation is null)
        {
            row.Finish = said.Finish;
            return;
        }
        if (said.Number == options.MaxTurns)
        {
            row.Finish = RolloutFinish.Turns;
            return;
        }
        int[] tokens;
        try
        {
            tokens = observation.Length == 0 ? [] : tokenizer.Encode(MarkedText.Rendered(observation));
        }
        catch (Exception error)
        {
            throw new InvalidOperationException(
                $"the tokenizer cannot encode what {options.Environment.Name} answered at turn {said.Number} of row {row.Row}: "
                    + error.Message,
                error
            );
        }
        // The policy must be able to answer.
        if (tokens.Length >= row.Left)
            row.Finish = RolloutFinish.Length;
        else
            row.Append(tokens);
    }

    private async Task<Exception?> EndAsync(EpisodeRow row)
    {
        try
        {
            await WithinAsync(
                    async _ =>
                    {
                        await row.Episode.DisposeAsync().ConfigureAwait(false);
                        return true;
                    },
                    CancellationToken.None
                )
                .ConfigureAwait(false);
        }
        catch (TimeoutException)
        {
            // Left behind, like a call that hangs.
        }
        catch (Exception error)
        {
            return new InvalidOperationException($"{options.Environment.Name} failed at the end of row {row.Row}: {error.Message}", error);
        }
        return null;
    }

    private Task<T> WithinAsync<T>(Func<CancellationToken, Task<T>> call, CancellationToken cancellation) =>
        TimeLimit.WithinAsync(call, options.Environment.Name, options.CallTimeout, TimeProvider.System, cancellation);

    private static ulong NumberOf(SamplingOptions sampling, int row) => sampling.RowSeeds?[row] ?? (ulong)(sampling.FirstRow + row);
}
