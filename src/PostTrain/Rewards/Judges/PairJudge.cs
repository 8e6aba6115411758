using PostTrain.Data;

namespace PostTrain.Rewards.Judges;

/// <summary>Compares two answers: the probability, 0 to 1, that the first is better; NaN for no verdict. It must bear several questions at
/// a time.</summary>
/// <remarks><see cref="Judge.Pairs"/> makes one of a chat client. One of a function of one's own should itself ask in both orders where
/// order can matter.</remarks>
/// <param name="problem">What was asked.</param>
/// <param name="first">One answer.</param>
/// <param name="second">The other.</param>
/// <param name="cancellation">Ends the asking. A judge that does not heed it holds nobody: it is left behind on the thread pool.</param>
public delegate Task<double> PairJudge(Problem problem, string first, string second, CancellationToken cancellation);
