using PostTrain.Data;
using PostTrain.Models;
using PostTrain.Numerics;

namespace PostTrain.Rollouts;

/// <summary>Request to an <see cref="IRolloutSource"/>: one completion of each row. Equal prompts side by side form a group, which a
/// source may draw together.</summary>
/// <param name="Prompts">Token ids of each row, at least one id each.</param>
/// <param name="Sampling">Options of sampling. A source refuses options that it cannot follow.</param>
/// <param name="Seed">Seed of the randomness. A source whose draws are a function of it says so.</param>
public sealed record RolloutRequest(IReadOnlyList<int[]> Prompts, SamplingOptions Sampling, ulong Seed)
{
    /// <summary>The most tokens of prompt and completion together; null, the default, sets no bound besides
    /// <see cref="SamplingOptions.MaxNewTokens"/>.</summary>
    public int? ContextLength { get; init; }

    /// <summary>Ids must be below this; null, the default, allows every id that is not negative.</summary>
    public int? VocabularySize { get; init; }

    /// <summary>Problem of each row, for sources with an environment; null, the default, names none.</summary>
    public IReadOnlyList<Problem>? Problems { get; init; }

    /// <summary>Number of the weights that the policy has now: optimiser updates made. Default 0.</summary>
    public long Version { get; init; }

    /// <summary>Creates a request with the bounds of a model.</summary>
    /// <param name="model">Policy whose vocabulary and context bound the completions.</param>
    /// <param name="prompts">As <see cref="Prompts"/>.</param>
    /// <param name="sampling">As <see cref="Sampling"/>.</param>
    /// <param name="seed">As <see cref="Seed"/>.</param>
    /// <exception cref="ArgumentException">There is no prompt, or one is empty, too long, or holds an id outside the
    /// vocabulary.</exception>
    /// <exception cref="ArgumentOutOfRangeException">An option is out of range.</exception>
    public static RolloutRequest Of(CausalLm model, IReadOnlyList<int[]> prompts, SamplingOptions sampling, ulong seed)
    {
        ArgumentNullException.ThrowIfNull(model);
        ArgumentNullException.ThrowIfNull(sampling);
        sampling.Validate(model.VocabularySize);
        PromptBatch.Check(prompts, model.InputVocabularySize, model.ContextLength);
        return new RolloutRequest(prompts, sampling, seed) { ContextLength = model.ContextLength, VocabularySize = model.VocabularySize };
    }

    /// <summary>Returns the most tokens that the completion of a row may have.</summary>
    /// <param name="row">Index of the prompt.</param>
    public int LimitOf(int row) =>
        ContextLength is { } context ? Math.Min(Sampling.MaxNewTokens, context - Prompts[row].Length) : Sampling.MaxNewTokens;

    /// <summary>Checks what does not depend on a model.</summary>
    /// <exception cref="ArgumentException">There is no prompt, or one is empty or fills the context.</exception>
    internal void Validate()
    {
        ArgumentNullException.ThrowIfNull(Prompts);
        ArgumentNullException.ThrowIfNull(Sampling);
        if (ContextLength is { } context)
            Guard.AtLeast(context, 2, nameof(ContextLength));
        if (VocabularySize is { } size)
            Guard.AtLeast(size, 1, nameof(VocabularySize));
        Guard.AtLeast(Version, 0, nameof(Version));
        PromptBatch.Check(Prompts, VocabularySize ?? int.MaxValue, ContextLength ?? int.MaxValue);
        if (Problems is { } problems && problems.Count != Prompts.Count)
            throw new ArgumentException(
                $"Problems has {problems.Count} entries, expected {Prompts.Count}, one for each prompt",
                nameof(Problems)
            );
        if (Sampling.RowSeeds is { } seeds && seeds.Count != Prompts.Count)
            throw new ArgumentException(
                $"Sampling.RowSeeds has {seeds.Count} numbers, expected {Prompts.Count}, one for each prompt",
                nameof(Sampling)
            );
    }
}
