using PostTrain.Data;

namespace PostTrain.Search;

/// <summary>A way to spend inference on a problem: one of <see cref="SearchMethod"/>, or a program.</summary>
public interface ISearchMethod
{
    /// <summary>The name in tables.</summary>
    string Name { get; }

    /// <summary>Solves a problem.</summary>
    /// <param name="problem">What to solve.</param>
    /// <param name="seed">Where all randomness comes from.</param>
    /// <param name="cancellation">Ends the search: the best of the rounds that were finished is given back, with
    /// <see cref="SearchResult.IsCancelled"/>.</param>
    /// <exception cref="OperationCanceledException">The search was cancelled before a round was finished.</exception>
    Task<SearchResult> RunAsync(Problem problem, ulong seed, CancellationToken cancellation = default);
}
