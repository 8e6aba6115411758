using PostTrain.Torch.Interop;

namespace TorchSharp;

internal static partial class Ops
{
    internal static readonly Operator
        split_Tensor = new("split.Tensor"),
        split_with_sizes = new("split_with_sizes"),
        tensor_split_sections = new("tensor_split.sections"),
        tensor_split_indices = new("tensor_split.indices"),
        tensor_split_tensor_indices_or_sections = new("tensor_split.tensor_indices_or_sections"),
        chunk = new("chunk"),
        unbind_int = new("unbind.int"),
        hsplit_int = new("hsplit.int"),
        hsplit_array = new("hsplit.array"),
        vsplit_int = new("vsplit.int"),
        vsplit_array = new("vsplit.array"),
        dsplit_int = new("dsplit.int"),
        dsplit_array = new("dsplit.array"),
        repeat = new("repeat"),
        repeat_interleave_self_int = new("repeat_interleave.self_int"),
        repeat_interleave_self_Tensor = new("repeat_interleave.self_Tensor"),
        tile = new("tile"),
        flip = new("flip"),
        fliplr = new("fliplr"),
        flipud = new("flipud"),
        roll = new("roll"),
        rot90 = new("rot90"),
        tril = new("tril"),
        tril_ = new("tril_"),
        triu = new("triu"),
        triu_ = new("triu_"),
        diag = new("diag"),
        diagflat = new("diagflat"),
        diag_embed = new("diag_embed"),
        cat = new("cat"),
        stack = new("stack"),
        hstack = new("hstack"),
        vstack = new("vstack"),
        dstack = new("dstack"),
        column_stack = new("column_stack"),
        block_diag = new("block_diag"),
        meshgrid_indexing = new("meshgrid.indexing"),
        cartesian_prod = new("cartesian_prod"),
        combinations = new("combinations");
}
