namespace PostTrain.Search;

/// <summary>One problem solved by one method, for <see cref="ComputeTable"/>.</summary>
/// <param name="Method">The method's name, with its width.</param>
/// <param name="Difficulty">Of the problem, however it is estimated: the share of wrong first answers, a model's guess, a level.</param>
/// <param name="IsRight">Whether the answer is right.</param>
/// <param name="Tokens">What it cost, at least 0.</param>
public sealed record SearchTrial(string Method, double Difficulty, bool IsRight, double Tokens);
