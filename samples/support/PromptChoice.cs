using PostTrain.Adapters.Prompts;
using PostTrain.Data;
using PostTrain.Models;
using PostTrain.Supervised;
using PostTrain.Training;

namespace PostTrain.Samples.Support;

/// <summary>What soft prompts reach on a base of one width, beside full fine-tuning.</summary>
/// <param name="Seed">Seed of base, data and prompts.</param>
/// <param name="Width">Width of the base.</param>
/// <param name="Named">The base's accuracy when the prompt names the task.</param>
/// <param name="Full">Accuracy after full fine-tuning on the task without its name.</param>
/// <param name="Prompt">After prompt tuning.</param>
/// <param name="PTuning">After P-tuning.</param>
/// <param name="UnknownFull">After full fine-tuning on the task that the base does not know.</param>
/// <param name="UnknownPrompt">After prompt tuning on it.</param>
public sealed record PromptChoice(
    ulong Seed,
    int Width,
    double Named,
    double Full,
    double Prompt,
    double PTuning,
    double UnknownFull,
    double UnknownPrompt
)
{
    private const int Examples = 300,
        HeldOut = 300,
        Length = 8;

    /// <summary>The loss in accuracy of prompt tuning against full fine-tuning.</summary>
    public double Gap => Full - Prompt;

    /// <summary>Trains a base and tunes it in each way.</summary>
    /// <param name="width">Width of the base.</param>
    /// <param name="baseSteps">Steps of the base's training.</param>
    /// <param name="steps">Steps of each tuning.</param>
    /// <param name="seed">Seed of everything.</param>
    public static PromptChoice Run(int width, int baseSteps, int steps, ulong seed)
    {
        using var model = TaskMixture.Base(width, baseSteps, seed);
        char task = TaskMixture.Names[(int)(seed % (ulong)TaskMixture.Names.Length)];
        var (train, heldOut) = TaskMixture.Task(task, Examples, HeldOut, seed);
        var (unknownTrain, unknownHeldOut) = TaskMixture.Task(TaskMixture.Unknown, Examples, HeldOut, seed);
        double named = TaskMixture.Accuracy(model, heldOut, TaskMixture.Named(task, heldOut, seed));
        return new PromptChoice(
            seed,
            width,
            named,
            Full(train, heldOut),
            Prompt(train, heldOut),
            PTuning(train, heldOut),
            Full(unknownTrain, unknownHeldOut),
            Prompt(unknownTrain, unknownHeldOut)
        );

        double Full(Demonstration[] shown, Problem[] asked) => Best(shown, asked, (Copy, 3e-3));

        // An instruction without a name, or any characters, are the starts.
        double Prompt(Demonstration[] shown, Problem[] asked) =>
            Best(
                shown,
                asked,
                (() => new SoftPromptLm(model, PromptTable.FromTokens(model, TaskMixture.Tokenizer.Encode("."), Length)), 0.3),
                (() => new SoftPromptLm(model, PromptTable.FromVocabulary(model, Length, seed)), 0.1)
            );

        double PTuning(Demonstration[] shown, Problem[] asked) =>
            Best(
                shown,
                asked,
                (() => new SoftPromptLm(model, new LstmPromptEncoder(Length, width, Math.Max(16, width), 2, 0, seed)), 1e-2),
                (() => new SoftPromptLm(model, new MlpPromptEncoder(Length, width, 64, seed)), 3e-3)
            );

        CausalLm Copy()
        {
            var copy = model.Copy();
            foreach (var parameter in copy.parameters())
                parameter.requires_grad = true;
            return copy;
        }

        // Of several starts and rates the one with the lowest loss in training.
        double Best(Demonstration[] shown, Problem[] asked, params (Func<CausalLm> Make, double Rate)[] tries)
        {
            var (lowest, accuracy) = (double.PositiveInfinity, 0.0);
            foreach (var (make, rate) in tries)
            {
                using var tuned = make();
                using var trainer = new SftTrainer(
                    tuned,
                    TaskMixture.Tokenizer,
                    new SftOptions
                    {
                        Steps = steps,
                        BatchSize = 32,
                        LearningRate = rate,
                        WarmupSteps = steps / 10,
                        Schedule = LearningRateSchedule.Cosine,
                        Seed = seed,
                    }
                );
                double loss = trainer.Run(shown).Select(report => report.Loss).TakeLast(20).Average();
                if (loss >= lowest)
                    continue;
                (lowest, accuracy) = (loss, TaskMixture.Accuracy(tuned, asked));
            }
            return accuracy;
        }
    }
}
