namespace PostTrain.Rewards;

/// <summary>The outcome of <see cref="Voting.Majority"/>.</summary>
/// <param name="Answer">The answer with the largest weight, the first of equals; null if no vote has an answer.</param>
/// <param name="Share">Its share of the total weight, missing answers included; 0 if no vote has an answer.</param>
/// <param name="Answers">The first answer of each class, in order.</param>
/// <param name="Weights">The weight of each class.</param>
/// <param name="Classes">The class of each vote, −1 for a missing answer.</param>
public sealed record Vote(
    string? Answer,
    double Share,
    IReadOnlyList<string> Answers,
    IReadOnlyList<double> Weights,
    IReadOnlyList<int> Classes
);
