using PostTrain.Adapters;
using PostTrain.Adapters.Prompts;
using PostTrain.Data;
using PostTrain.Models;
using PostTrain.Text;

namespace PostTrain.Samples.Support;

/// <summary>A model with its trainable adapter or prompt.</summary>
/// <param name="Model">The model for trainer and sampler.</param>
/// <param name="Tokenizer">Its tokenizer.</param>
/// <param name="Adapters">Its weight adapters; null for none.</param>
/// <param name="Template">Template of the prompt's virtual tokens; null if the model places them itself.</param>
public sealed record Tuning(CausalLm Model, ITokenizer Tokenizer, AdaptedModel? Adapters = null, PromptTemplate? Template = null)
    : IDisposable
{
    /// <summary>Number of trained parameters.</summary>
    public long Trainable => Model.parameters().Where(parameter => parameter.requires_grad).Sum(parameter => parameter.numel());

    /// <summary>Returns an example in this model's form.</summary>
    public Demonstration Prepare(Demonstration example) => Template?.Apply(example) ?? example;

    /// <summary>Returns a problem in this model's form.</summary>
    public Problem Prepare(Problem problem) => Template?.Apply(problem) ?? problem;

    /// <summary>Removes adapters and prompts; the caller owns the base model.</summary>
    public void Dispose()
    {
        Adapters?.Dispose();
        if (Model is PromptedLm)
            Model.Dispose();
    }
}
