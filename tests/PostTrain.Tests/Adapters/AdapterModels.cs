using PostTrain.Adapters;
using PostTrain.Models;
using PostTrain.Tests.Support;
using TorchSharp;
using static TorchSharp.torch;

namespace PostTrain.Tests.Adapters;

/// <summary>What tests of adapters put on which model.</summary>
internal static class AdapterModels
{
    /// <summary>Every method by a name, for the Llama of <see cref="Models.TinyModels"/>.</summary>
    internal static IReadOnlyDictionary<string, AdapterOptions> Methods { get; } =
        new Dictionary<string, AdapterOptions>
        {
            ["lora"] = new LoraOptions { Targets = ["q_proj", "v_proj"], Rank = 3 },
            ["lora-all-linear"] = new LoraOptions
            {
                Targets = ModuleSelection.AllLinear,
                Rank = 2,
                RankStabilized = true,
            },
            ["lora-gaussian-bias"] = new LoraOptions
            {
                Targets = ["o_proj", "down_proj"],
                Rank = 2,
                Initialization = LoraInitialization.Gaussian,
                OwnBias = false,
                Bias = AdapterBias.All,
            },
            ["lora-embedding-head"] = new LoraOptions { Targets = ["embed_tokens", "lm_head"], Rank = 2 },
            ["lora-saved-tokens"] = new LoraOptions
            {
                Targets = ["k_proj"],
                Rank = 2,
                ModulesToSave = ["lm_head", "layers.1.mlp", "norm"],
                Tokens = TrainableTokens.Of(3, 1),
            },
            ["dora"] = new LoraOptions
            {
                Targets = ["q_proj", "down_proj", "embed_tokens"],
                Rank = 2,
                WeightDecomposed = true,
            },
            ["pissa"] = new LoraOptions
            {
                Targets = ["q_proj", "up_proj"],
                Rank = 3,
                Initialization = LoraInitialization.Pissa,
            },
            ["olora-dora"] = new LoraOptions
            {
                Targets = ["q_proj", "up_proj"],
                Rank = 3,
                Initialization = LoraInitialization.Olora,
                WeightDecomposed = true,
            },
            ["ia3"] = new Ia3Options { Targets = ["k_proj", "v_proj", "down_proj"], FeedForward = ["down_proj"] },
            ["vera"] = new VeraOptions
            {
                Targets = ["q_proj", "k_proj", "down_proj"],
                Rank = 5,
                ProjectionSeed = 2,
                SaveProjection = false,
                Bias = AdapterBias.All,
            },
            ["loha"] = new LohaOptions
            {
                Targets = ["v_proj", "up_proj"],
                Rank = 2,
                Alpha = 3,
            },
            ["lokr"] = new LokrOptions
            {
                Targets = ["v_proj", "up_proj"],
                Rank = 1,
                DecomposeBoth = true,
                ModulesToSave = ["lm_head"],
            },
            ["lokr-lycoris"] = new LokrOptions
            {
                Targets = ["k_proj", "down_proj"],
                Rank = 4,
                Start = LokrStart.Right,
                Factor = 4,
            },
            ["adalora"] = new AdaLoraOptions
            {
                Targets = ["q_proj", "up_proj"],
                InitialRank = 4,
                TargetRank = 2,
            },
            ["ln-tuning"] = new NormTuningOptions(),
            ["tokens"] = new TokenTuningOptions { Ids = [4, 17, 2] },
            ["tokens-head"] = new TokenTuningOptions { Ids = [4, 17, 2], Targets = ["embed_tokens", "lm_head"] },
        };

    internal static TheoryData<string> Names => [.. Methods.Keys];

    /// <summary>The Llama without tied embeddings.</summary>
    internal static Decoder Llama(ScalarType type = ScalarType.Float64) =>
        Models.TinyModels.Create(Models.TinyModels.Llama with { TiedEmbeddings = false }, type);

    internal static Tensor Ids(int rows = 3, int length = 6) => Numbers.Ids(5, 23, rows, length);

    /// <summary>Gives every trained parameter other numbers, so that the adapter acts.</summary>
    internal static void Randomize(AdaptedModel adapted, int seed = 11, double scale = 0.2)
    {
        using var mode = no_grad();
        using var scope = NewDisposeScope();
        foreach (var (_, parameter) in adapted.TrainableParameters)
            parameter.add_(Numbers.Uniform(seed++, scale, parameter.shape).to_type(parameter.dtype));
    }

    internal static byte[] Bytes(Tensor tensor) => tensor.detach().contiguous().bytes.ToArray();

    /// <summary>The logits without recording gradients.</summary>
    internal static Tensor Logits(CausalLm model, Tensor ids)
    {
        using var mode = no_grad();
        return model.call(ids);
    }
}
