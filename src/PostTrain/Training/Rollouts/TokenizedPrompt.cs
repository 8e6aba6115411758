using PostTrain.Data;
using PostTrain.Data.Batches;
using PostTrain.Models;
using PostTrain.Rewards;
using PostTrain.Rollouts;
using PostTrain.Text;

namespace PostTrain.Training;

/// <summary>Problem with its prompt as token ids.</summary>
/// <param name="Problem">Problem that the completions answer.</param>
/// <param name="Ids">Token ids of the prompt.</param>
public readonly record struct TokenizedPrompt(Problem Problem, int[] Ids)
{
    /// <summary>Tokenizes the prompts of problems.</summary>
    /// <param name="problems">At least one.</param>
    /// <param name="name">Name of the argument in error messages, which name a problem as NAME[index].</param>
    /// <param name="policy">Model whose context the prompts must fit.</param>
    /// <param name="tokenizer">Tokenizer of the model.</param>
    /// <exception cref="ArgumentException">There is no problem, or a prompt does not fit the model's context.</exception>
    internal static TokenizedPrompt[] Of(IReadOnlyList<Problem> problems, string name, CausalLm policy, ITokenizer tokenizer) =>
        Of(problems, name, new ExampleEncoder(tokenizer, policy.ContextLength));

    /// <summary>Tokenizes the prompts of problems, cut and noted as an encoder says.</summary>
    internal static TokenizedPrompt[] Of(IReadOnlyList<Problem> problems, string name, ExampleEncoder encoder)
    {
        ArgumentNullException.ThrowIfNull(problems, name);
        if (problems.Count == 0)
            throw new ArgumentException($"{name} is empty, expected at least one problem", name);
        return [.. problems.Select((problem, index) => new TokenizedPrompt(problem, encoder.EncodePrompt(problem, $"{name}[{index}]")))];
    }

    /// <summary>Decodes the completions of prompts, one a row.</summary>
    internal static Completion[] Completions(IReadOnlyList<TokenizedPrompt> prompts, RolloutBatch rollouts, ITokenizer tokenizer) =>
        [
            .. prompts.Select(
                (prompt, i) =>
                    new Completion(prompt.Problem, tokenizer.Decode(rollouts.Completions[i]), rollouts.Completions[i], rollouts.Finished[i])
                    {
                        Turns = rollouts.Drawn?[i] is { } drawn ? Turns(rollouts.Completions[i], drawn, tokenizer) : [],
                    }
            ),
        ];

    // The runs of drawn tokens.
    private static List<string> Turns(int[] tokens, bool[] drawn, ITokenizer tokenizer)
    {
        var turns = new List<string>();
        for (int start = 0; start < tokens.Length; start++)
        {
            int end = start;
            while (end < tokens.Length && drawn[end])
                end++;
            if (end > start)
                turns.Add(tokenizer.Decode(tokens.AsSpan(start, end - start)));
            start = end;
        }
        return turns;
    }

    /// <summary>Draws one completion of each prompt outside of a training: without dropout, which is switched back to what it
    /// was.</summary>
    internal static Completion[] Draw(
        CausalLm policy,
        ITokenizer tokenizer,
        IReadOnlyList<TokenizedPrompt> prompts,
        SamplingOptions sampling,
        ulong seed,
        CancellationToken cancellation
    )
    {
        bool training = policy.training;
        policy.eval();
        try
        {
            using var rollouts = Sampler.Generate(
                policy,
                [.. prompts.Select(prompt => prompt.Ids)],
                sampling.StoppingAt(policy, tokenizer) with
                {
                    Recording = LogProbRecording.Drawn,
                },
                seed,
                tokenizer,
                cancellation
            );
            return Completions(prompts, rollouts, tokenizer);
        }
        finally
        {
            policy.train(training);
        }
    }

    /// <summary>Draws one completion of each prompt outside of a training, by a source; null: by the policy, as <see
    /// cref="Draw"/>.</summary>
    internal static async Task<Completion[]> DrawAsync(
        CausalLm policy,
        ITokenizer tokenizer,
        IRolloutSource? source,
        IReadOnlyList<TokenizedPrompt> prompts,
        SamplingOptions sampling,
        ulong seed,
        CancellationToken cancellation
    )
    {
        if (source is null)
            return Draw(policy, tokenizer, prompts, sampling, seed, cancellation);
        int[][] ids = [.. prompts.Select(prompt => prompt.Ids)];
        var request = RolloutRequest.Of(policy, ids, sampling.StoppingAt(policy, tokenizer), seed);
        var samples = await source.CollectAsync(request, cancellation).ConfigureAwait(false);
        return
        [
            .. samples.Select(
                (sample, i) =>
                    new Completion(prompts[i].Problem, tokenizer.Decode(sample.Tokens), sample.Tokens, sample.Finish == RolloutFinish.Stop)
            ),
        ];
    }
}
