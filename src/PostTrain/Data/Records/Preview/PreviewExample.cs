namespace PostTrain.Data.Records;

/// <summary>Example as a model sees it.</summary>
/// <param name="Name">Place of the example among all, and its side: <c>0</c>, <c>0 chosen</c>, <c>0 rejected</c>.</param>
/// <param name="Tokens">Its tokens in order.</param>
public sealed record PreviewExample(string Name, IReadOnlyList<PreviewToken> Tokens);
