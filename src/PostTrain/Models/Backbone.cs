using TorchSharp;
using TorchSharp.Modules;
using static TorchSharp.torch;

namespace PostTrain.Models;

/// <summary>Everything under the output projection: embeddings, blocks and the final normalisation.</summary>
internal sealed class Backbone : nn.Module
{
    private readonly TokenEmbedding? positions;
    private readonly ModuleList<Block> blocks;
    private readonly nn.Module<Tensor, Tensor> norm;

    public Backbone(DecoderConfig config, WeightSource source)
        : base(nameof(Backbone))
    {
        var names = ModuleNames.Of(config.Naming);
        var name = names.Backbone;
        Tokens = new TokenEmbedding(source, $"{name}.{names.Tokens}", config.VocabularySize, config.HiddenSize);
        register_module(names.Tokens, Tokens);
        if (config.Attention[0].Rotary is null)
        {
            positions = new TokenEmbedding(source, $"{name}.{names.Positions}", config.ContextLength, config.HiddenSize);
            register_module(names.Positions, positions);
        }

        blocks = new ModuleList<Block>([
            .. Enumerable.Range(0, config.Layers).Select(i => new Block(config, source, $"{name}.{names.Layers}.{i}", i)),
        ]);
        register_module(names.Layers, blocks);
        norm = Norms.Create(config, source, $"{name}.{names.FinalNorm}");
        register_module(names.FinalNorm, norm);
    }

    public TokenEmbedding Tokens { get; private set; }

    internal TokenEmbedding? Positions => positions;

    internal IEnumerable<Block> Blocks => blocks;

    internal nn.Module<Tensor, Tensor> Norm => norm;

    /// <summary>True if layers keep only their inputs and compute the rest again in the backward pass.</summary>
    public bool CheckpointActivations { get; set; }

    /// <summary>Puts another embedding in the place of the tokens'; the one before belongs to the caller again.</summary>
    public void ReplaceTokens(TokenEmbedding tokens)
    {
        var name = named_children().First(child => ReferenceEquals(child.module, Tokens)).name;
        register_module(name, null!);
        register_module(name, tokens);
        tokens.train(training);
        Tokens = tokens;
    }

    /// <summary>Embedded tokens through all layers.</summary>
    /// <param name="embedded">[B,T,D].</param>
    /// <param name="at">Their positions, [B or 1,T]; needed where positions are learned.</param>
    /// <param name="inputs">The attention inputs; layer i uses those at i modulo their number.</param>
    public Tensor Apply(Tensor embedded, Tensor? at, AttentionInputs[] inputs)
    {
        using var scope = NewDisposeScope();
        var x = positions is null ? embedded : embedded + positions.call(at!);
        for (var layer = 0; layer < blocks.Count; layer++)
        {
            var shared = inputs[layer % inputs.Length];
            var next =
                CheckpointActivations && shared is { Cache: null, Prefix: null } && is_grad_enabled()
                    ? CheckpointedBlock.Run(blocks[layer], x, shared)
                    : blocks[layer].Apply(x, shared);
            // Autograd keeps what it needs; without it the layer's input is free now, not at the end of the pass.
            if (!ReferenceEquals(x, embedded))
                x.Dispose();
            x = next;
        }

        return norm.call(x).MoveToOuterDisposeScope();
    }

    /// <summary>Nothing: the names come from the configuration, not from the fields.</summary>
    protected override void RegisterComponents() { }
}
