using PostTrain.Data;
using PostTrain.Models;
using PostTrain.Policy;
using PostTrain.Rewards;
using PostTrain.Text;

namespace PostTrain.Samples.Support;

/// <summary>What a reinforcement-learning sample trains: a model, what it is asked, how it is judged.</summary>
/// <param name="Title">Heading of the report.</param>
/// <param name="Story">What happens here, in a sentence or two.</param>
/// <param name="Policy">The model that is trained.</param>
/// <param name="Tokenizer">Its tokenizer.</param>
/// <param name="Reward">Judges completions while training.</param>
/// <param name="Train">Problems to train on.</param>
/// <param name="HeldOut">Problems that training never sees.</param>
/// <param name="Measure">What the held-out share counts, in a word or two.</param>
/// <param name="Succeeds">Whether a completion of a held-out problem counts.</param>
/// <param name="Options">The trainer's options.</param>
public sealed record Experiment(
    string Title,
    string Story,
    CausalLm Policy,
    ITokenizer Tokenizer,
    IReward Reward,
    IReadOnlyList<Problem> Train,
    IReadOnlyList<Problem> HeldOut,
    string Measure,
    Func<Completion, bool> Succeeds,
    GrpoOptions Options
);
