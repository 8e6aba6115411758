namespace PostTrain.Rollouts;

/// <summary>Checks what a source of rollouts gives.</summary>
internal static class SampleCheck
{
    // Rounding may put the log-probability of a certain token above 0.
    private const double AboveZero = 1e-3;

    /// <summary>Throws unless a completion is one that the request asked for.</summary>
    /// <exception cref="InvalidDataException">The message names source, row and place.</exception>
    internal static void Require(string source, RolloutRequest request, RolloutSample? sample)
    {
        if (sample is null)
            throw new InvalidDataException($"{source} gave null in place of a completion");
        if (sample.Row < 0 || sample.Row >= request.Prompts.Count)
            throw Wrong(source, sample.Row, $"is not one of the {request.Prompts.Count} rows of the request");
        if (sample.Tokens is not { Length: > 0 })
            throw Wrong(source, sample.Row, "has no token, expected at least one");
        if (sample.Tokens.Length > request.LimitOf(sample.Row))
            throw Wrong(source, sample.Row, $"has {sample.Tokens.Length} tokens, expected at most {request.LimitOf(sample.Row)}");
        var size = request.VocabularySize ?? int.MaxValue;
        var outside = Array.FindIndex(sample.Tokens, id => id < 0 || id >= size);
        if (outside >= 0)
            throw Wrong(
                source,
                sample.Row,
                $"has the id {sample.Tokens[outside]} at token {outside}, expected ids from 0 to {size - 1}: the tokenizer "
                    + $"of the source is "
                    + "not the policy's"
            );
        if (!Enum.IsDefined(sample.Finish))
            throw Wrong(source, sample.Row, $"has the finish reason {sample.Finish}, expected one of the enumeration's");
        if (sample.Drawn is { } drawn && (drawn.Length != sample.Tokens.Length || !drawn.Contains(true)))
            throw Wrong(
                source,
                sample.Row,
                $"tells of {drawn.Length} tokens whether the policy drew them, {drawn.Count(own => own)} of them drawn, expected "
                    + $"{sample.Tokens.Length}, at least one drawn"
            );
        RequireLogProbs(source, sample);
        RequireMass(source, sample);
    }

    private static void RequireLogProbs(string source, RolloutSample sample)
    {
        if (sample.LogProbs is null || sample.LogProbs.Length != sample.Tokens.Length)
            throw Wrong(
                source,
                sample.Row,
                $"has {sample.LogProbs?.Length ?? 0} log-probs for {sample.Tokens.Length} tokens, expected one for each token"
            );
        var wrong = Array.FindIndex(sample.LogProbs, value => !(value <= AboveZero) || double.IsInfinity(value));
        if (wrong >= 0)
            throw Wrong(
                source,
                sample.Row,
                FormattableString.Invariant(
                    $"has the log-prob {sample.LogProbs[wrong]} at token {wrong}, expected a finite number of at most 0"
                )
            );
    }

    private static void RequireMass(string source, RolloutSample sample)
    {
        if (sample.KeptMass is not { } mass)
            return;
        var wrong = mass.Length != sample.Tokens.Length ? 0 : Array.FindIndex(mass, value => !(value > 0 && value <= 1 + AboveZero));
        if (wrong >= 0)
            throw Wrong(
                source,
                sample.Row,
                $"has a kept mass of {mass.Length} numbers for {sample.Tokens.Length} tokens, expected one in (0, 1] for each token"
            );
    }

    private static InvalidDataException Wrong(string source, int row, string what) => new($"{source}: the completion of row {row} {what}");
}
