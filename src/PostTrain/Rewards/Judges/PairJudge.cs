using PostTrain.Data;

namespace PostTrain.Rewards.Judges;

/// <summary>Compares two answers: returns the probability, 0 to 1, that the first is better; NaN for no verdict. Must support concurrent
/// calls.</summary>
/// <remarks><see cref="Judge.Pairs"/> creates one from a chat client. A function of your own should ask in both orders if the order can
/// matter.</remarks>
/// <param name="problem">The problem that was answered.</param>
/// <param name="first">The first answer.</param>
/// <param name="second">The second answer.</param>
/// <param name="cancellation">Cancels the call. A judge that ignores it does not block the run: it is left to finish on the thread
/// pool.</param>
public delegate Task<double> PairJudge(Problem problem, string first, string second, CancellationToken cancellation);
