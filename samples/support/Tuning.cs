using PostTrain.Adapters;
using PostTrain.Adapters.Prompts;
using PostTrain.Data;
using PostTrain.Models;
using PostTrain.Text;

namespace PostTrain.Samples.Support;

/// <summary>A model with whatever is trained on it.</summary>
/// <param name="Model">What a trainer and a sampler take.</param>
/// <param name="Tokenizer">Its tokenizer.</param>
/// <param name="Adapters">Weight adapters on it; null without any.</param>
/// <param name="Template">Where a prompt's virtual tokens stand; null where the model puts them there itself.</param>
public sealed record Tuning(CausalLm Model, ITokenizer Tokenizer, AdaptedModel? Adapters = null, PromptTemplate? Template = null)
    : IDisposable
{
    /// <summary>Numbers that are trained.</summary>
    public long Trainable => Model.parameters().Where(parameter => parameter.requires_grad).Sum(parameter => parameter.numel());

    /// <summary>An example as this model reads it.</summary>
    public Demonstration Prepare(Demonstration example) => Template?.Apply(example) ?? example;

    /// <summary>A problem as this model reads it.</summary>
    public Problem Prepare(Problem problem) => Template?.Apply(problem) ?? problem;

    /// <summary>Takes adapters and prompts off; the base model stays with the caller.</summary>
    public void Dispose()
    {
        Adapters?.Dispose();
        if (Model is PromptedLm)
            Model.Dispose();
    }
}
