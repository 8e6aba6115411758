namespace PostTrain.Rewards;

/// <summary>Implements <see cref="Reward.MathAnswer(MathAnswerOptions)"/>.</summary>
internal static class MathAnswerReward
{
    internal static IReward Create(MathAnswerOptions options) =>
        new FunctionReward(
            options.Name,
            (completion, index) =>
            {
                var reference =
                    completion.Problem.Answer
                    ?? throw new InvalidOperationException(
                        $"reward '{options.Name}': the problem of completion {index} has no Answer, expected a reference answer"
                    );
                if (AnswerExtraction.Extract(completion.Text, options.Places) is not { } answer)
                    return options.Missing;
                reference = AnswerExtraction.Reference(reference);
                var isRight = options.AcceptsComputations
                    ? AnswerEquivalence.AreEquivalent(answer, reference, options.Tolerance)
                    : AnswerEquivalence.IsAnswer(answer, reference, options.Tolerance);
                return isRight ? options.Right : options.Wrong;
            }
        );
}
