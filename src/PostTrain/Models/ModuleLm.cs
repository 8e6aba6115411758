using PostTrain.Models.Heads;
using PostTrain.Numerics;
using TorchSharp;
using static TorchSharp.torch;

namespace PostTrain.Models;

/// <summary>A <see cref="CausalLm"/> made of any module that maps token ids [B,T] to logits [B,T,V], for samplers, trainers and losses: a
/// recurrent network, your own model, one from another library.</summary>
/// <remarks>
/// The module must be causal (the logits at t depend on the ids up to t) and needs no support for padding or packing: its rows always begin
/// at their first token. With a mask, each row, and each packed sequence of a row, is moved to its own row with zeros after it, and the
/// logits are moved back to the tokens' positions.
/// <para>There is no cache of activations: <see cref="NewCache"/> stores the ids, and each generation step runs the module over the whole
/// sequence so far. A completion of n tokens therefore costs n passes over up to n + prompt tokens.</para>
/// <para>The hidden states of such a model are its logits: <see cref="Hidden"/> returns [B,T,V] and <see cref="Project"/> changes nothing.
/// Losses that project in chunks therefore save no memory, and soft prompts, which need embeddings, cannot be used.</para>
/// </remarks>
public sealed class ModuleLm : CausalLm
{
    private readonly nn.Module<Tensor, Tensor> module;

    /// <param name="module">Maps ids [B,T], int64, to logits [B,T,V]; owned by this model from now on and disposed with it. Its parameters
    /// are named <c>module.…</c>.</param>
    /// <param name="vocabularySize">Number of token ids, V; id 0 must be one.</param>
    /// <param name="contextLength">The module's maximum sequence length in tokens.</param>
    /// <exception cref="ArgumentOutOfRangeException">A size is not positive.</exception>
    public ModuleLm(nn.Module<Tensor, Tensor> module, int vocabularySize, int contextLength)
        : base(nameof(ModuleLm))
    {
        ArgumentNullException.ThrowIfNull(module);
        Guard.AtLeast(vocabularySize, 1, nameof(vocabularySize));
        Guard.AtLeast(contextLength, 1, nameof(contextLength));
        (this.module, VocabularySize, ContextLength) = (module, vocabularySize, contextLength);
        register_module("module", module);
    }

    /// <inheritdoc/>
    public override int VocabularySize { get; }

    /// <inheritdoc/>
    public override int ContextLength { get; }

    /// <summary>V: the hidden states are the logits.</summary>
    public override int HiddenSize => VocabularySize;

    /// <summary>Computes the logits, [B,T,V].</summary>
    /// <inheritdoc/>
    public override Tensor Hidden(Tensor ids, Tensor? attentionMask = null, KeyValueCache? cache = null)
    {
        ArgumentNullException.ThrowIfNull(ids);
        Check(ids, attentionMask, cache);
        using var mode = cache is null ? null : no_grad();
        using var scope = NewDisposeScope();
        var length = ids.size(1);
        var all = ids;
        if (cache is not null)
        {
            var added = ids.reshape(ids.size(0), 1, length, 1);
            all = cache.Append(0, added, added).Keys.reshape(ids.size(0), cache.Length + length);
        }

        var logits = attentionMask is null ? Run(all) : RunRows(all, attentionMask);
        cache?.Advance((int)length);
        // A copy of the new positions frees the logits of the others; without a cache all are new.
        return (cache is null ? logits : logits.narrow(1, all.size(1) - length, length).clone()).MoveToOuterDisposeScope();
    }

    /// <summary>Returns a view of the logits; there is no projection.</summary>
    /// <inheritdoc/>
    public override Tensor Project(Tensor hidden)
    {
        ArgumentNullException.ThrowIfNull(hidden);
        if (hidden.dim() == 0 || hidden.size(-1) != VocabularySize)
            throw new ArgumentException(
                $"hidden has the shape [{string.Join(",", hidden.shape)}], expected [...,{VocabularySize}].",
                nameof(hidden)
            );
        return hidden.alias();
    }

    /// <summary>Not supported: the module's input is ids.</summary>
    /// <exception cref="NotSupportedException">Always.</exception>
    public override Tensor Embed(Tensor ids) => throw NoEmbeddings();

    /// <summary>Not supported: the module's input is ids.</summary>
    /// <exception cref="NotSupportedException">Always.</exception>
    public override Tensor HiddenFromEmbeddings(Tensor embeddings, Tensor? attentionMask = null, KeyValueCache? cache = null) =>
        throw NoEmbeddings();

    /// <summary>Creates a cache of ids: 16 bytes per position.</summary>
    /// <inheritdoc/>
    public override KeyValueCache NewCache(int batch, int capacity)
    {
        ArgumentOutOfRangeException.ThrowIfNegativeOrZero(batch);
        ArgumentOutOfRangeException.ThrowIfNegativeOrZero(capacity);
        ArgumentOutOfRangeException.ThrowIfGreaterThan(capacity, ContextLength);
        return new KeyValueCache(1, batch, 1, capacity, 1, ScalarType.Int64, BodyParts.DeviceOf(this));
    }

    /// <summary>Does nothing: the module is registered under its name.</summary>
    protected override void RegisterComponents() { }

    // Each token of (row b, sequence k) goes to row b·K + k - 1, at its index within the sequence.
    private Tensor RunRows(Tensor ids, Tensor mask)
    {
        var (rows, columns) = (ids.size(0), ids.size(1));
        var segments = mask.to_type(ScalarType.Int64);
        var count = Math.Max(1, segments.amax([0L, 1L]).ToInt64());
        if (count > columns)
            throw new ArgumentException(
                $"attentionMask numbers {count} sequences in rows of {columns} positions, expected at most one a position.",
                nameof(mask)
            );
        var number = arange(1, count + 1, dtype: ScalarType.Int64, device: ids.device).reshape(1, count, 1);
        var member = segments.unsqueeze(1).eq(number).to_type(ScalarType.Int64);
        var position = member.cumsum(2).sub(1).mul(member).sum([1L]);
        var width = position.amax([0L, 1L]).ToInt64() + 1;
        var row = arange(rows, dtype: ScalarType.Int64, device: ids.device).unsqueeze(1).mul(count).add(segments.sub(1).clamp_min(0));
        var place = row.mul(width).add(position).reshape(-1);
        var real = segments.gt(0).reshape(-1);
        // Padding goes to an extra place after all rows.
        var spare = rows * count * width;
        var flat = zeros(spare + 1, dtype: ScalarType.Int64, device: ids.device)
            .scatter(0, place.masked_fill(real.logical_not(), spare), ids.reshape(-1));
        var logits = Run(flat.narrow(0, 0, spare).reshape(rows * count, width));
        return logits.reshape(spare, VocabularySize).index_select(0, place).reshape(rows, columns, VocabularySize);
    }

    private Tensor Run(Tensor ids)
    {
        var logits = module.call(ids);
        if (!logits.shape.SequenceEqual([.. ids.shape, VocabularySize]))
            throw new InvalidOperationException(
                $"The module gave the shape [{string.Join(",", logits.shape)}] for ids [{string.Join(",", ids.shape)}], expected "
                    + $"[{string.Join(",", ids.shape)},{VocabularySize}]."
            );
        return logits;
    }

    private void Check(Tensor ids, Tensor? mask, KeyValueCache? cache)
    {
        var shape = ids.shape;
        if (shape.Length != 2 || shape[0] == 0 || shape[1] == 0)
            throw new ArgumentException(
                $"ids has the shape [{string.Join(",", shape)}], expected [B,T] with B and T positive.",
                nameof(ids)
            );
        Guard.Ids(ids, nameof(ids));
        var total = shape[1] + (cache?.Length ?? 0);
        if (mask is null)
            ContextLimit.Check(total, null, ContextLength, nameof(ids));
        if (cache is not null && (cache.Batch != shape[0] || total > cache.Capacity))
            throw new ArgumentException(
                $"The cache holds {cache.Batch} rows of up to {cache.Capacity} positions, but {shape[0]} rows of {total} are given.",
                nameof(cache)
            );
        if (mask is not null && (mask.Dimensions != 2 || mask.size(0) != shape[0] || mask.size(1) != total))
            throw new ArgumentException(
                $"attentionMask has the shape [{string.Join(",", mask.shape)}], expected [{shape[0]},{total}].",
                nameof(mask)
            );
        ContextLimit.Check(total, mask, ContextLength, nameof(ids));
        using var scope = NewDisposeScope();
        var (least, most) = (ids.min().ToInt64(), ids.max().ToInt64());
        if (least < 0 || most >= VocabularySize)
            throw new ArgumentException(
                $"ids holds {(least < 0 ? least : most)}, expected ids from 0 to {VocabularySize - 1}.",
                nameof(ids)
            );
    }

    private static NotSupportedException NoEmbeddings() =>
        new(
            $"A {nameof(ModuleLm)} has no embeddings: its module maps ids to logits. Soft prompts need a {nameof(Decoder)} or a "
                + $"{nameof(CausalLm)} of one's own."
        );
}
