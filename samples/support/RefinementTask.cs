using PostTrain.Adapters;
using PostTrain.Data;
using PostTrain.Models;
using PostTrain.Rewards;
using PostTrain.Text;

namespace PostTrain.Samples.Support;

/// <summary>A task on which refinement methods are compared.</summary>
/// <param name="Name">Name in tables and, without spaces, in metrics.</param>
/// <param name="Tokenizer">The model's tokenizer.</param>
/// <param name="Fresh">The model before any training.</param>
/// <param name="Load">The model that <see cref="RefinementTrial"/> saved in a folder after the warm-up.</param>
/// <param name="Data">The questions of a seed.</param>
/// <param name="Reward">1 for a correct answer.</param>
public sealed record RefinementTask(
    string Name,
    ITokenizer Tokenizer,
    Func<Tuning> Fresh,
    Func<string, Tuning> Load,
    Func<ulong, RefinementData> Data,
    IReward Reward
)
{
    /// <summary>The name in metrics.</summary>
    public string Key => Name.Split(" (")[0].Replace(' ', '_');

    /// <summary>The paper's reward: 1 for the correct answer, 0.1 for another number, 0 for none.</summary>
    private static IReward AnswerAlone => Rewards.Reward.MathAnswer(MathAnswerOptions.ReinforcedFineTuning);

    /// <summary>Creates the task of sums of three numbers on the base model of a folder: in any order, or in the demonstrated
    /// one.</summary>
    /// <param name="folder">Folder of the base model, trained on <see cref="ChainTask.Notes"/>.</param>
    /// <param name="control">True for one valid way: the demonstrations add the numbers in the given order, and no other order is
    /// rewarded.</param>
    /// <param name="questions">Number of training questions.</param>
    /// <param name="heldOut">Number of held-out questions.</param>
    public static RefinementTask Chains(string folder, bool control, int questions, int heldOut)
    {
        var tokenizer = ChainTask.Tokenizer();
        return new RefinementTask(
            control ? "one valid order (control)" : "six valid orders",
            tokenizer,
            () => Of(folder),
            Of,
            seed =>
            {
                var problems = ChainTask.Problems(questions, heldOut: false, seed);
                return new RefinementData(
                    ChainTask.Demonstrations(problems, anyOrder: !control, seed),
                    problems,
                    ChainTask.Problems(heldOut, heldOut: true, seed)
                );
            },
            control ? ChainTask.OneWay() : AnswerAlone
        );

        Tuning Of(string from) => new(Pretrained.Load(from), tokenizer);
    }

    /// <summary>Creates the task of the user's model and records. A seed changes order and sampling, not the held-out records.</summary>
    /// <param name="subject">The model.</param>
    /// <param name="train">Training records; the text after the prompt holds the answer.</param>
    /// <param name="heldOut">Held-out records.</param>
    /// <param name="rank">Rank of a LoRA adapter; 0 trains the whole model.</param>
    public static RefinementTask Records(
        Subject subject,
        IReadOnlyList<Demonstration> train,
        IReadOnlyList<Demonstration> heldOut,
        int rank
    )
    {
        ArgumentNullException.ThrowIfNull(subject);
        var data = new RefinementData(train, Asked(train), Asked(heldOut));
        return new RefinementTask(
            "the records",
            subject.Tokenizer,
            () =>
                rank > 0
                    ? Adapted(model =>
                        AdaptedModel.Attach(
                            model,
                            new LoraOptions
                            {
                                Targets = ModuleSelection.AllLinear,
                                Rank = rank,
                                Alpha = 2 * rank,
                                BaseModel = subject.Folder,
                            }
                        )
                    )
                    : new Tuning(subject.Again(), subject.Tokenizer),
            folder =>
                rank > 0 ? Adapted(model => AdaptedModel.Load(model, folder)) : new Tuning(Pretrained.Load(folder), subject.Tokenizer),
            _ => data,
            AnswerAlone
        );

        Tuning Adapted(Func<Decoder, AdaptedModel> attach)
        {
            var model = subject.Again();
            return new Tuning(model, subject.Tokenizer, attach(model));
        }

        static Problem[] Asked(IReadOnlyList<Demonstration> records) =>
            [.. records.Select(record => new Problem(record.Prompt, AnswerExtraction.Extract(record.Completion) ?? record.Completion))];
    }
}
