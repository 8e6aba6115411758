using PostTrain.Models;
using PostTrain.Text;

namespace PostTrain.Samples.Support;

/// <summary>A method in a comparison.</summary>
/// <param name="Name">Name of the method.</param>
/// <param name="LearningRate">Its learning rate.</param>
/// <param name="Attach">Attaches it to a fresh copy of the model.</param>
public sealed record Contender(string Name, double LearningRate, Func<Decoder, ITokenizer, Tuning> Attach);
